<?php
// PHP's pcntl with a handler that loops. PHP runs it between two instructions of the script, never
// within one: with `interrupt`, SIGCHLD ends a waiting socket_accept, so that the handler has its
// turn at once; by default (as SA_RESTART) accept goes on waiting, and the handler with it.
[, $host, $port] = $argv;
$restart = ($argv[3] ?? '') !== 'interrupt';
pcntl_async_signals(true);
pcntl_signal(SIGCHLD, function () {
    while (pcntl_waitpid(-1, $status, WNOHANG) > 0) {
    }
}, $restart);
$listener = socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
socket_set_option($listener, SOL_SOCKET, SO_REUSEADDR, 1);
if (!@socket_bind($listener, $host, (int) $port) || !socket_listen($listener, 128)) {
    fwrite(STDERR, "cannot listen on $host:$port: " . socket_strerror(socket_last_error()) . "\n");
    exit(1);
}
while (true) {
    $connection = @socket_accept($listener);
    if ($connection === false) {
        continue;
    }
    if (pcntl_fork() === 0) {
        socket_close($listener);
        while (($data = @socket_read($connection, 1024)) !== false && $data !== '') {
            @socket_write($connection, $data);
        }
        exit(0);
    }
    socket_close($connection);
}
