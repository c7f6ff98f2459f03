// Goroutines, garbage collection, the network poller, preemption by signals, faults as panics.
package main

import (
	"bufio"
	"fmt"
	"net"
	"runtime"
	"sort"
	"sync"
	"time"
)

func fib(n int) int {
	if n < 2 {
		return n
	}
	return fib(n-1) + fib(n-2)
}

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func (t *tree) count() int {
	if t.left == nil {
		return 1
	}
	return t.left.count() + t.right.count() + 1
}

func serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			lines := bufio.NewScanner(c)
			for lines.Scan() {
				fmt.Fprintf(c, "%s!\n", lines.Text())
			}
		}()
	}
}

func main() {
	fmt.Println(runtime.GOARCH, fib(32))
	var group sync.WaitGroup
	numbers, done, total := make(chan int, 100), make(chan bool), 0
	go func() {
		for v := range numbers {
			total += v
		}
		done <- true
	}()
	for i := 0; i < 1000; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 100; j++ {
				numbers <- i
			}
		}()
	}
	group.Wait()
	close(numbers)
	<-done
	fmt.Println("total", total)
	nodes := 0
	for i := 0; i < 20; i++ {
		nodes += grow(14).count()
	}
	fmt.Println("nodes", nodes)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go serve(l)
	var answers sync.Map
	for i := 0; i < 20; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				panic(err)
			}
			defer c.Close()
			lines := bufio.NewScanner(c)
			for j := 0; j < 50; j++ {
				fmt.Fprintf(c, "%d-%d\n", i, j)
				lines.Scan()
				answers.Store(lines.Text(), true)
			}
		}()
	}
	group.Wait()
	count := 0
	answers.Range(func(_, _ any) bool { count++; return true })
	fmt.Println("answers", count)
	runtime.GOMAXPROCS(1)
	go func() {
		for x := 0; ; x++ {
		}
	}()
	time.Sleep(50 * time.Millisecond)
	func() {
		defer func() { fmt.Println("recovered:", recover()) }()
		var p *tree
		fmt.Println(p.left.right)
	}()
	all := make([]int, 100000)
	for i := range all {
		all[i] = (i * 7919) % 100003
	}
	sort.Ints(all)
	fmt.Println("sorted", all[500])
}
