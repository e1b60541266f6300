/* lesson-03 in C: the same system calls, the same lines in its log, the same handler. */

#define _GNU_SOURCE

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *line)
{
    char text[1200];
    int length = snprintf(text, sizeof text, "[%d] %s\n", getpid(), line);
    if (write(STDOUT_FILENO, text, length) < 0) { } /* lost, not fatal */
}

static void on_sigchld(int signal)
{
    (void)signal;
    int saved = errno;
    pid_t child;
    while ((child = waitpid(-1, NULL, WNOHANG)) > 0) {
        char line[] = "[SIGCHLD] reaped child         \n";
        char *at = line + sizeof line - 2;
        do
            *--at = '0' + child % 10;
        while ((child /= 10) > 0);
        if (write(STDOUT_FILENO, line, sizeof line - 1) < 0) { }
    }
    errno = saved;
}

static void echo(int connection, int delay)
{
    char buffer[1024], line[1100];
    ssize_t length;
    while ((length = recv(connection, buffer, sizeof buffer, 0)) > 0) {
        snprintf(line, sizeof line, "received \"%.*s\"", (int)length, buffer);
        say(line);
        if (length == 3 && memcmp(buffer, "Bye", 3) == 0)
            break;
        usleep(delay * 1000);
        if (send(connection, buffer, length, 0) != length)
            break;
    }
    close(connection);
}

int main(int argc, char **argv)
{
    /* twin --delay MS IP:PORT */
    struct sockaddr_in addr = { .sin_family = AF_INET };
    char ip[INET_ADDRSTRLEN] = "", line[100];
    unsigned short port;
    if (argc != 4 || sscanf(argv[3], "%15[0-9.]:%hu", ip, &port) != 2
        || inet_pton(AF_INET, ip, &addr.sin_addr) != 1)
        return fputs("usage: twin --delay MS IP:PORT\n", stderr), 2;
    addr.sin_port = htons(port);

    struct sigaction action = { .sa_handler = on_sigchld, .sa_flags = SA_RESTART };
    sigaction(SIGCHLD, &action, NULL);
    signal(SIGPIPE, SIG_IGN);

    int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&addr, sizeof addr) < 0 || listen(listener, 128) < 0)
        return perror("twin"), 1;
    socklen_t length = sizeof addr;
    getsockname(listener, (struct sockaddr *)&addr, &length);
    snprintf(line, sizeof line, "twin listening on %s:%d, pid %d", ip, ntohs(addr.sin_port),
             getpid());
    say(line);

    for (;;) {
        struct sockaddr_in peer;
        length = sizeof peer;
        int connection = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_CLOEXEC);
        if (connection < 0)
            continue; /* EINTR, or a client that has gone already */
        pid_t child = fork();
        if (child == 0) {
            close(listener);
            echo(connection, atoi(argv[2]));
            _exit(0);
        }
        if (child > 0) {
            inet_ntop(AF_INET, &peer.sin_addr, ip, sizeof ip);
            snprintf(line, sizeof line, "child %d serves %s:%d", child, ip, ntohs(peer.sin_port));
            say(line);
        }
        close(connection);
    }
}
