// Makes the embedded data of crates/core/resource from Kubernetes' Go modules; README.md says how to run it.
package main

import (
	"bytes"
	"compress/gzip"
	"log"
	"os"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: resource-data OPENAPI-V3-FOLDER OUTPUT-FOLDER")
	}
	writeDocuments(os.Args[1], filepath.Join(os.Args[2], "openapi"))
	writeGzip(filepath.Join(os.Args[2], "protobuf.txt.gz"), protobufTable())
}

func writeGzip(path string, data []byte) {
	var buffer bytes.Buffer
	writer, err := gzip.NewWriterLevel(&buffer, gzip.BestCompression)
	check(err)
	_, err = writer.Write(data)
	check(err)
	check(writer.Close())
	check(os.MkdirAll(filepath.Dir(path), 0o755))
	check(os.WriteFile(path, buffer.Bytes(), 0o644))
	log.Printf("%s: %d bytes, %d compressed", path, len(data), buffer.Len())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
