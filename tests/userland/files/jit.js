function fib(n){return n<2?n:fib(n-1)+fib(n-2)}
let t=Date.now(); let r=fib(32); let s=r;
let a=new Float64Array(1<<16); for(let k=0;k<60;k++) for(let i=0;i<a.length;i++) a[i]=a[i]*0.5+i;
s+=a.reduce((x,y)=>x+y,0);
let m=new Map(); for(let i=0;i<300000;i++) m.set('k'+(i%5000),(m.get('k'+(i%5000))||0)+i);
let o=[...m.values()].reduce((x,y)=>x+y,0);
let re=0; for(let i=0;i<20000;i++) if(/(\w+)\s(\d+)x/.test('hello '+i+'x')) re++;
console.log(r,s,o,re);
