-- wrk: posts callbacks of the size and shape of a captured one, each another alert; prints the counts as JSON.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  thread:set("seed", os.time())
  table.insert(threads, thread)
end

local count = 0
local headers = { ["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8" }
local shape = "lastTime=2%%E5%%88%%86%%E9%%92%%9F&rawMetricName=code4XX_stage&expression=%%24Value+%%3E%%3D+5"
  .. "&metricName=code4XX_stage&instanceName=null&signature=W%%2FaqYaxuLrhbbyjoUw3r5wUEKss%%3D"
  .. "&transId=2e0a0647-0064-11ee-%d-%012d&groupId=62288888&regionName=null&productGroupName=shop-prod"
  .. "&metricProject=acs_apigateway&userId=4773038795076680&curValue=2&unit=%%E4%%B8%%AA"
  .. "&alertName=API%%E7%%BD%%91%%E5%%85%%B3_%%E8%%BF%%94%%E5%%9B%%9E%%E7%%A0%%814XX&regionId=null"
  .. "&namespace=acs_apigateway&triggerLevel=WARN&alertState=ALERT&preTriggerLevel=INFO"
  .. "&ruleId=alarmRule_uuid_30ad77224d67e803e103337b166af8e49560c2be070"
  .. "&dimensions=%%7BapiStageName%%3DRELEASE%%2C+apiUid%%3D%032d%%2C+userId%%3D4773038795076680%%7D&timestamp=%d"

function request()
  count = count + 1
  local object = (count * 64 + number) % 10000
  return wrk.format("POST", nil, headers, string.format(shape, number, count, object, seed * 1000 + count))
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %f, "p50_us": %d, "p99_us": %d, "not_200": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
