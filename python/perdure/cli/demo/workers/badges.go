// A worker of the service "badges" on the raw bridge protocol, profile L0, over stdio.
// bridges/go has a module for it; this shows how little is needed without.
package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"time"
)

type frame map[string]any

func send(document frame) {
	bytes, err := json.Marshal(document)
	if err != nil {
		log.Fatal(err)
	}
	prefixed := binary.BigEndian.AppendUint32(nil, uint32(len(bytes)))
	if _, err := os.Stdout.Write(append(prefixed, bytes...)); err != nil {
		os.Exit(0)
	}
}

func receive(from io.Reader) frame {
	var prefix [4]byte
	if _, err := io.ReadFull(from, prefix[:]); err != nil {
		os.Exit(0)
	}
	bytes := make([]byte, binary.BigEndian.Uint32(prefix[:]))
	if _, err := io.ReadFull(from, bytes); err != nil {
		os.Exit(0)
	}
	var document frame
	if err := json.Unmarshal(bytes, &document); err != nil {
		log.Fatal(err)
	}
	return document
}

func witness(text string) {
	path := os.Getenv("DEMO_WITNESS")
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintln(file, text)
	file.Close()
}

func run(task frame) {
	reply := frame{"frame": "result", "task": task["task"], "nonce": task["nonce"]}
	arguments, _ := task["arguments"].([]any)
	if task["activity"] != "badge" || len(arguments) != 1 {
		reply["frame"] = "error"
		reply["error"] = frame{"type": "UnknownActivity", "started": false}
		send(reply)
		return
	}
	name := fmt.Sprint(arguments[0])
	witness("begin badge " + name)
	pause, _ := strconv.Atoi(os.Getenv("DEMO_STEP_MS"))
	time.Sleep(time.Duration(pause) * time.Millisecond)
	witness("end badge " + name)
	reply["value"] = fmt.Sprintf("%s-%x", name, sha256.Sum256([]byte(name)))[:len(name)+7]
	send(reply)
}

func main() {
	send(frame{
		"frame": "hello", "service": "badges", "instance": fmt.Sprintf("badges-%d", os.Getpid()),
		"language": "go", "activities": []frame{{"name": "badge"}},
	})
	in := bufio.NewReader(os.Stdin)
	for {
		if document := receive(in); document["frame"] == "task" {
			run(document)
		}
	}
}
