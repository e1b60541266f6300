# zsh as a fork server: a background job per connection, which the shell itself reaps.
zmodload zsh/net/tcp
ztcp -l $1 || exit
listener=$REPLY
while ztcp -a $listener; do
    connection=$REPLY
    { ztcp -c $listener; exec cat } <&$connection >&$connection &
    ztcp -c $connection
done
