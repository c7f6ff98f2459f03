import sys
def fib(n): return n if n<2 else fib(n-1)+fib(n-2)
print(fib(27)); d={}
for i in range(1000000): d[i%1000]=d.get(i%1000,0)+i*i%7
print(sum(d.values())); print(len(''.join(map(str,range(200000)))))
