module waggle.test/interop/config

go 1.22

require github.com/go-chassis/kie-client v0.2.0

require (
	github.com/go-chassis/cari v0.6.0 // indirect
	github.com/go-chassis/foundation v0.4.0 // indirect
	github.com/go-chassis/openlog v1.1.3 // indirect
)
