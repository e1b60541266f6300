# The Perl classic as perlipc teaches it now: a reaper that loops, and keeps $! and $?.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ':sys_wait_h';

my ($host, $port) = @ARGV;
$SIG{CHLD} = sub {
    local ($!, $?);
    1 while waitpid(-1, WNOHANG) > 0;
};
my $listener = IO::Socket::INET->new(
    LocalAddr => $host, LocalPort => $port, Listen => 128, ReuseAddr => 1,
) or die "cannot listen on $host:$port: $@\n";
while (1) {
    my $connection = $listener->accept or next;    # EINTR, after each SIGCHLD
    my $child = fork;
    if (defined $child && $child == 0) {
        close $listener;
        while (sysread($connection, my $data, 1024)) { syswrite $connection, $data }
        POSIX::_exit(0);
    }
    close $connection;
}
