module github.com/action-llama/gateway/examples/demo

go 1.26.0
