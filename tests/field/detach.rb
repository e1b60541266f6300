# A Ruby classic: Process.detach gives each child a thread that waits for it alone.
require 'socket'

host, port = ARGV
listener = TCPServer.new(host, port.to_i)
loop do
  connection = listener.accept
  child = fork do
    listener.close
    begin
      loop { connection.write(connection.readpartial(1024)) }
    rescue EOFError, SystemCallError
      exit!
    end
  end
  connection.close
  Process.detach(child)
end
