#lang racket/base
(define (fib n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(displayln (fib 30))
(define h (make-hash)) (for ([i 500000]) (hash-update! h (modulo i 1000) add1 0)) (displayln (hash-count h))
