-- Sends the requests of a file in turn, and prints what came of it as one line of JSON.
-- Arguments: the file of requests, each after a line with its size; the mark in them that gives way to a growing number;
-- "counted", where the status of every answer is to be counted, which costs wrk the time to read the answers.

local heads, tails, turn, number, digits = {}, {}, 0, 0, ""
local thread
statuses = {}

local function read(path, mark)
  local file = assert(io.open(path, "rb"))
  for size in function() return file:read("*l") end do
    local text = file:read(tonumber(size))
    local from, to = text:find(mark, 1, true)
    heads[#heads + 1] = from and text:sub(1, from - 1) or text
    tails[#heads] = from and text:sub(to + 1) or false
  end
  file:close()
end

local function count(status)
  statuses[status] = (statuses[status] or 0) + 1
end

function setup(started)
  thread = started
end

function init(arguments)
  read(arguments[1], arguments[2])
  digits = "%0" .. #arguments[2] .. "d"
  if arguments[3] == "counted" then
    response = count
  end
end

function request()
  turn = turn % #heads + 1
  if not tails[turn] then
    return heads[turn]
  end
  number = number + 1
  return heads[turn] .. string.format(digits, number) .. tails[turn]
end

function done(summary, latency)
  local counted = {}
  for status, times in pairs(thread:get("statuses")) do
    counted[#counted + 1] = string.format('"%d":%d', status, times)
  end
  local errors = summary.errors
  print(string.format(
    '{"count":%d,"seconds":%.6f,"bytes":%d,"p50_ms":%.3f,"p99_ms":%.3f,"statuses":{%s},' ..
      '"connect":%d,"read":%d,"write":%d,"timeout":%d,"refused":%d}',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    table.concat(counted, ","), errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
