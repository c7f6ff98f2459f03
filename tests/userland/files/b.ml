let rec fib n = if n<2 then n else fib(n-1)+fib(n-2)
let () = print_int (fib 27); print_newline (); let h=Hashtbl.create 10 in for i=0 to 300000 do Hashtbl.replace h (i mod 1000) i done; print_int (Hashtbl.length h); print_newline ()
let () = let d = List.init 4 (fun i -> Domain.spawn (fun () -> fib (20+i))) in List.iter (fun d -> print_int (Domain.join d); print_char ' ') d; print_newline ()
let rec deep n = 1 + deep (n+1)
let () = try print_int (deep 0) with Stack_overflow -> print_endline "so"
