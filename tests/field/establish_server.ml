(* An echo server by Unix.establish_server of OCaml's standard distribution. *)

let echo input output =
  let buffer = Bytes.create 1024 in
  let rec go () =
    match Stdlib.input input buffer 0 1024 with
    | 0 -> ()
    | length ->
        output_bytes output (Bytes.sub buffer 0 length);
        flush output;
        go ()
  in
  go ()

let () =
  let host = Unix.inet_addr_of_string Sys.argv.(1) in
  Unix.establish_server echo (Unix.ADDR_INET (host, int_of_string Sys.argv.(2)))
