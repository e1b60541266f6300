# A Ruby classic: a trap that waits once for each signal.
require 'socket'

host, port = ARGV
trap('CLD') { Process.wait }
listener = TCPServer.new(host, port.to_i)
loop do
  connection = listener.accept
  fork do
    listener.close
    begin
      loop { connection.write(connection.readpartial(1024)) }
    rescue EOFError, SystemCallError
      exit!
    end
  end
  connection.close
end
