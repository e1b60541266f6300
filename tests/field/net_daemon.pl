# An echo server by Net::Daemon in its forking mode.
package Echo;
use strict;
use warnings;
use parent 'Net::Daemon';

sub Run {
    my ($self) = @_;
    while (sysread($self->{socket}, my $data, 1024)) { syswrite $self->{socket}, $data }
}

my ($host, $port) = @ARGV;
Echo->new({
    mode => 'fork', localaddr => $host, localport => $port, pidfile => 'none', logfile => 'STDERR',
})->Bind;
