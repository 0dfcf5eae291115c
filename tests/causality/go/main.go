// Go's own net/http server. Calls go through net/http's client, where goroutines of the transport write and read, or
// (argument "inline") by pooled connections that the calling goroutine writes and reads, as database/sql's drivers do.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type line struct {
	In    *uint64 `json:"in,omitempty"`
	Cause *uint64 `json:"cause"`
	After bool    `json:"after"`
	Local string  `json:"local"`
	Peer  string  `json:"peer"`
	Start int64   `json:"start"`
	End   int64   `json:"end"`
}

type request struct {
	number   uint64
	answered atomic.Bool
}

// Which calls a request makes; half of them are answered from a cache, at random.
var calls = map[string]int{"sync": 1, "pipelining": 1, "forget": 1, "retry": 1, "sequential": 3, "parallel": 3}

var (
	listen   = os.Getenv("CAUSALITY_LISTEN")
	backend  = os.Getenv("CAUSALITY_BACKEND")
	requests atomic.Uint64
	client   = &http.Client{Transport: &http.Transport{MaxIdleConns: 1024, MaxIdleConnsPerHost: 1024}}
	inline   = len(os.Args) > 1 && os.Args[1] == "inline"
	idle     = make(chan net.Conn, 4096)
	truth    *json.Encoder
	lock     sync.Mutex
)

func now() int64 { return time.Now().UnixNano() }

func note(values line) {
	lock.Lock()
	defer lock.Unlock()
	if err := truth.Encode(values); err != nil {
		log.Fatal(err)
	}
}

// call gives the status.
func call(kind, token string, of *request) int {
	values := line{Peer: backend, Start: now()}
	if of != nil {
		values.Cause, values.After = &of.number, of.answered.Load()
	}
	out, err := http.NewRequest("GET", "http://"+backend+"/"+kind+"/"+token, nil)
	if err != nil {
		log.Fatal(err)
	}
	out.Header.Set("X-Item", token)
	ask := pooled
	if inline {
		ask = driven
	}
	status, local, err := ask(out)
	if err != nil {
		log.Print(err)
		return 0
	}
	values.Local, values.End = local.String(), now()
	note(values)
	return status
}

func pooled(out *http.Request) (status int, local net.Addr, err error) {
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { local = info.Conn.LocalAddr() }}
	response, err := client.Do(out.WithContext(httptrace.WithClientTrace(out.Context(), trace)))
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	return response.StatusCode, local, err
}

func driven(out *http.Request) (int, net.Addr, error) {
	var connection net.Conn
	select {
	case connection = <-idle:
	default:
		var err error
		if connection, err = net.Dial("tcp", backend); err != nil {
			return 0, nil, err
		}
	}
	if err := out.Write(connection); err != nil {
		return 0, nil, err
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), out)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body)
	idle <- connection
	return response.StatusCode, connection.LocalAddr(), err
}

func missed(pattern string) int {
	count := 0
	for range calls[pattern] {
		count += rand.Intn(2)
	}
	return count
}

// work gives what is left to do once the request is answered, or nil.
func work(path string, of *request) func() {
	words := strings.Split(path, "/")
	pattern, token := words[1], words[2]
	count := missed(pattern)
	switch {
	case pattern == "forget" && count > 0:
		return func() { call("item", token, of) }
	case pattern == "parallel":
		var group sync.WaitGroup
		for range count {
			group.Add(1)
			go func() { defer group.Done(); call("item", token, of) }()
		}
		group.Wait()
	case pattern == "retry":
		for left := 3 * count; left > 0 && call("flaky", token, of) != 200; left-- {
		}
	case pattern != "forget":
		for range count {
			call("item", token, of)
		}
	}
	return nil
}

func answer(writer http.ResponseWriter, incoming *http.Request) {
	of := &request{number: requests.Add(1)}
	values := line{In: &of.number, Local: listen, Peer: incoming.RemoteAddr, Start: now()}
	rest := work(incoming.URL.Path, of)
	writer.Header().Set("Content-Length", "2")
	io.WriteString(writer, "ok")
	if rest != nil {
		// Only then is the answer out for sure; else the server sends it when this function returns.
		writer.(http.Flusher).Flush()
		of.answered.Store(true)
		go rest()
	}
	values.End = now()
	note(values)
}

func background(mean float64) {
	for {
		time.Sleep(time.Duration(rand.ExpFloat64() * mean * float64(time.Millisecond)))
		call("background", "item", nil)
	}
}

func main() {
	file, err := os.Create(filepath.Join(os.Getenv("CAUSALITY_TRUTH"), fmt.Sprint(os.Getpid(), ".jsonl")))
	if err != nil {
		log.Fatal(err)
	}
	truth = json.NewEncoder(file)
	mean, err := strconv.ParseFloat(os.Getenv("CAUSALITY_BACKGROUND_MS"), 64)
	if err != nil {
		log.Fatal(err)
	}
	go background(mean)
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.Serve(listener, http.HandlerFunc(answer)))
}
