local function fib(n) return n<2 and n or fib(n-1)+fib(n-2) end
print(fib(30)); local t={} for i=1,3e6 do t[i%1000+1]=(t[i%1000+1] or 0)+i%7 end local s=0 for i=1,1000 do s=s+t[i] end print(s)
local p={} for i=1,200000 do p[#p+1]=tostring(i) end print(#table.concat(p))
