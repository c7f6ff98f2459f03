(defun fib (n) (declare (fixnum n)) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2)))))
(print (fib 32)) (let ((l nil)) (dotimes (i 3000000) (push (list i) l) (when (= 0 (mod i 100000)) (setf l nil))) (print (length l))) (gc :full t) (print (handler-case (/ 1 (- 1 1)) (division-by-zero () :dz))) (print (handler-case (car (the list (eval 5))) (error () :te))) (terpri)
