(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(display (fib 30)) (newline)
(define (loop i acc) (if (= i 0) acc (loop (- i 1) (+ acc (modulo (* i i) 7)))))
(display (loop 3000000 0)) (newline)
