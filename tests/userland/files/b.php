<?php function fib($n){return $n<2?$n:fib($n-1)+fib($n-2);} echo fib(27),"\n"; $a=[]; for($i=0;$i<1000000;$i++) $a[$i%1000]=($a[$i%1000]??0)+$i; echo array_sum($a),"\n";
