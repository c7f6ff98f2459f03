package main
import ("fmt";"net";"net/http";"io";"runtime";"sync";"time";"sort";"strings")
func fib(n int) int { if n<2 {return n}; return fib(n-1)+fib(n-2) }
type T struct { l,r *T }
func mk(d int) *T { if d==0 {return &T{}}; return &T{mk(d-1),mk(d-1)} }
func (t *T) n() int { if t.l==nil {return 1}; return t.l.n()+t.r.n()+1 }
func main(){
 fmt.Println(runtime.GOARCH, fib(32))
 var wg sync.WaitGroup; c:=make(chan int,100); tot:=0; done:=make(chan bool)
 go func(){ for v:=range c {tot+=v}; done<-true }()
 for i:=0;i<1000;i++ { wg.Add(1); go func(i int){ defer wg.Done(); for j:=0;j<100;j++ {c<-i; if j%10==0 {runtime.Gosched()}} }(i) }
 wg.Wait(); close(c); <-done; fmt.Println(tot)
 s:=0; for i:=0;i<20;i++ { s+=mk(14).n() }; fmt.Println(s)
 ln,err:=net.Listen("tcp","127.0.0.1:0"); if err!=nil {panic(err)}
 go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter,r *http.Request){ fmt.Fprint(w,strings.Repeat("x",1000)) }))
 n:=0; for i:=0;i<200;i++ { r,err:=http.Get("http://"+ln.Addr().String()); if err!=nil {panic(err)}; b,_:=io.ReadAll(r.Body); r.Body.Close(); n+=len(b) }
 fmt.Println(n)
 // preemption: tight loop must be preempted by SIGURG
 runtime.GOMAXPROCS(1); x:=0; stop:=false; go func(){ for !stop { x++ } }(); time.Sleep(50*time.Millisecond); stop=true
 func(){ defer func(){ fmt.Println("recovered:", recover()) }(); var p *T; _ = p.l.l }()
 a:=make([]int,100000); for i:=range a {a[i]=(i*7919)%100003}; sort.Ints(a); fmt.Println(a[500])
}
