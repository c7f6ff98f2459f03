def fib(n) n<2 ? n : fib(n-1)+fib(n-2) end
puts fib(25); h=Hash.new(0); 500000.times{|i| h[i%1000]+=i}; puts h.values.sum
puts (1..4).map{|i| Thread.new{fib(15+i)}}.map(&:value).inspect
