module peers/oras

go 1.26

require oras.land/oras v1.3.3
