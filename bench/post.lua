-- wrk: posts callbacks of the size and shape of a captured one, each another alert; prints the counts as JSON.
-- Arguments: of how many objects (10000), how many bytes (0: as captured), how many ms a connection pauses (0).

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  thread:set("seed", os.time())
  table.insert(threads, thread)
end

local count = 0
local headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8" }
local shape = "transId=2e0a0647-0064-11ee-%d-%012d&userId=4773038795076680&namespace=acs_apigateway&triggerLevel=WARN"
  .. "&alertState=ALERT&preTriggerLevel=INFO&ruleId=alarmRule_uuid_30ad77224d67e803e103337b166af8e49560c2be070"
  .. "&dimensions=%%7BapiStageName%%3DRELEASE%%2C+apiUid%%3D%032d%%2C+userId%%3D4773038795076680%%7D&timestamp=%d"
local rest = "&lastTime=2%E5%88%86%E9%92%9F&rawMetricName=code4XX_stage&expression=%24Value+%3E%3D+5"
  .. "&metricName=code4XX_stage&instanceName=null&signature=W%2FaqYaxuLrhbbyjoUw3r5wUEKss%3D&groupId=62288888"
  .. "&regionName=null&productGroupName=shop-prod&metricProject=acs_apigateway&curValue=2&unit=%E4%B8%AA"
  .. "&alertName=API%E7%BD%91%E5%85%B3_%E8%BF%94%E5%9B%9E%E7%A0%814XX&regionId=null"
local objects, pause

local function body()
  count = count + 1
  return string.format(shape, number, count, (count * 64 + number) % objects, seed * 1000 + count) .. rest
end

function init(arguments)
  objects = tonumber(arguments[1] or 10000)
  local size = tonumber(arguments[2] or 0)
  pause = tonumber(arguments[3] or 0)
  if size > 0 then
    if size < #body() then rest = "" end
    rest = rest .. "&content=" .. string.rep("x", size - #body() - 9)
  end
  if pause > 0 then
    function delay()
      return math.floor(pause * 2 * math.random() + math.random())
    end
  end
end

function request()
  return wrk.format("POST", nil, headers, body())
end

function done(summary, latency)
  local errors = summary.errors
  local said = string.format('"requests": %d, "seconds": %f, "not_200": %d', summary.requests, summary.duration / 1e6,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout)
  for _, percentile in ipairs({ 50, 75, 90, 99, 99.9 }) do
    said = said .. string.format(', "p%g_us": %d', percentile, latency:percentile(percentile))
  end
  io.write("{", said, "}\n")
end
