module peers/modctl

go 1.26

require github.com/modelpack/modctl v0.2.2
