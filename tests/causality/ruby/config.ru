# A Rack application on Puma's pool of threads; calls over kept-alive connections of Ruby's own client.

require "json"
require "net/http"

HOST, PORT = ENV["CAUSALITY_BACKEND"].split(":")
TRUTH = File.open(File.join(ENV["CAUSALITY_TRUTH"], "#{Process.pid}.jsonl"), "w").tap { |file| file.sync = true }
LOCK = Mutex.new
BACKGROUND_S = ENV["CAUSALITY_BACKGROUND_MS"].to_f / 1000
# Which calls a request makes; half of them are answered from a cache, at random.
CALLS = { "sync" => 1, "pipelining" => 1, "forget" => 1, "retry" => 1, "sequential" => 3, "parallel" => 3 }.freeze

Request = Struct.new(:number, :answered)
$requests = 0
$idle = []

def now
  Process.clock_gettime(Process::CLOCK_REALTIME, :nanosecond)
end

def note(line)
  LOCK.synchronize { TRUTH.write("#{JSON.generate(line)}\n") }
end

def connect
  client = Net::HTTP.new(HOST, PORT.to_i)
  client.keep_alive_timeout = 60
  client.start
  address = client.instance_variable_get(:@socket).io.local_address
  [client, "#{address.ip_address}:#{address.ip_port}"]
end

# Gives the status.
def call(kind, token, request)
  client, local = LOCK.synchronize { $idle.pop } || connect
  start = now
  after = !request.nil? && request.answered
  status = client.get("/#{kind}/#{token}", { "X-Item" => token }).code
  note({ cause: request&.number, after: after, local: local, peer: ENV["CAUSALITY_BACKEND"], start: start, end: now })
  LOCK.synchronize { $idle.push([client, local]) }
  status
end

# Gives whether a call is left to make once the request is answered.
def work(pattern, token, request)
  missed = CALLS[pattern].times.count { rand < 0.5 }
  case pattern
  when "forget" then return missed > 0
  when "parallel" then missed.times.map { Thread.new { call("item", token, request) } }.each(&:join)
  when "retry" then (3 * missed).times { break if call("flaky", token, request) == "200" }
  else missed.times { call("item", token, request) }
  end
  false
end

Thread.new do
  loop do
    sleep(-Math.log(1 - rand) * BACKGROUND_S)
    call("background", "item", nil)
  end
end

run(lambda do |env|
  request = Request.new(LOCK.synchronize { $requests += 1 }, false)
  start = now
  peer = env["puma.socket"].remote_address
  _, pattern, token = env["PATH_INFO"].split("/")
  rest = work(pattern, token, request)
  # Puma calls these once the answer is out.
  (env["rack.after_reply"] ||= []) << lambda do
    request.answered = true
    peer = "#{peer.ip_address}:#{peer.ip_port}"
    note({ in: request.number, local: ENV["CAUSALITY_LISTEN"], peer: peer, start: start, end: now })
    Thread.new { call("item", token, request) } if rest
  end
  [200, { "Content-Type" => "text/plain", "Content-Length" => "2" }, ["ok"]]
end)
