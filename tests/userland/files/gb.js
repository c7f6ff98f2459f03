function fib(n){return n<2?n:fib(n-1)+fib(n-2)} print(fib(30)); let a=[]; for(let i=0;i<1000000;i++) a[i%1000]=(a[i%1000]||0)+i; print(a.reduce((x,y)=>x+y,0));
