-- wrk -s load.lua URL -- TOKENS ORDER START: GET requests with the tokens of a file, one a line.
-- ORDER is `cycle`, each in turn, or `random`; START is how many went before, or the seed. Requests are built before the first is sent.
local requests, order, last = {}, "cycle", 0

function init(args)
  order = args[2]
  last = tonumber(args[3])
  math.randomseed(last)
  for token in io.lines(args[1]) do
    local headers = {
      ["Authorization"] = "Bearer " .. token,
      ["User-Agent"] = "side-by-side",
      ["Accept"] = "application/json",
      ["Accept-Encoding"] = "gzip",
    }
    requests[#requests + 1] = wrk.format("GET", nil, headers)
  end
end

function request()
  if order == "random" then
    return requests[math.random(#requests)]
  end
  last = last % #requests + 1
  return requests[last]
end
