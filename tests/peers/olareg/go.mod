module peers/olareg

go 1.26

require github.com/olareg/olareg v0.2.1
