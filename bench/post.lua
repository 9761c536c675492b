-- For wrk: distinct callbacks of the size and shape of a captured one, of 1,000 objects. `RUN` makes runs distinct.

local threads = 0
function setup(thread)
  thread:set("id", threads)
  threads = threads + 1
end

local run = os.getenv("RUN") or "0"
local now = tonumber(os.getenv("NOW_MS") or "1685614196421")
local path
local count = 0

function init()
  path = wrk.path
  wrk.headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
end

function request()
  count = count + 1
  local body = "lastTime=2%E5%88%86%E9%92%9F&rawMetricName=code4XX_stage&expression=%24Value+%3E%3D+5"
    .. "&metricName=code4XX_stage&instanceName=null&signature=W%2FaqYaxuLrhbbyjoUw3r5wUEKss%3D"
    .. "&transId=" .. run .. "-" .. id .. "-" .. count .. "-b07f-00163e2e4b9a&groupId=62288888&regionName=null"
    .. "&productGroupName=shop-prod&metricProject=acs_apigateway&userId=4773038795076680&curValue=2&unit=%E4%B8%AA"
    .. "&alertName=API%E7%BD%91%E5%85%B3_%E8%BF%94%E5%9B%9E%E7%A0%814XX%E4%B8%AA%E6%95%B0&regionId=null"
    .. "&namespace=acs_apigateway&triggerLevel=WARN&alertState=ALERT&preTriggerLevel=INFO"
    .. "&ruleId=alarmRule_uuid_30ad77224d67e803e103337b166af8e49560c2be070"
    .. "&dimensions=%7BapiStageName%3DRELEASE%2C+apiUid%3D" .. (count * 7 + id) % 1000
    .. "%2C+region%3Dcn-shenzhen%2C+userId%3D4773038795076680%7D&timestamp=" .. now + math.floor(count / 20)
  return wrk.format("POST", path, nil, body)
end
