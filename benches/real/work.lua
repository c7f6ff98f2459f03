-- Tables, strings, closures, calls and floating point.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end

local total = 0
for turn = 1, tonumber(arg[1] or 10) do
  local counts, seed = {}, turn
  for _ = 1, 30000 do
    seed = (seed * 1103515245 + 12345) & 0x7fffffff
    local word = string.format("w%x", seed % 4096)
    counts[word] = (counts[word] or 0) + 1
  end
  local names = {}
  for word in pairs(counts) do names[#names + 1] = word end
  table.sort(names, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  total = total + #table.concat(names, " ", 1, 500)
  local sieve = {}
  for i = 2, 60000 do sieve[i] = true end
  for i = 2, 244 do
    if sieve[i] then for j = i * i, 60000, i do sieve[j] = false end end
  end
  for i = 2, 60000 do if sieve[i] then total = total + 1 end end
  total = total + fib(21)
  local x = 0.5
  for _ = 1, 100000 do x = 3.7 * x * (1 - x) end
  total = total + x // 0.001
  local text = string.rep("the quick brown fox ", 400)
  for word in text:gmatch("%a+") do total = total + #word end
  total = total + #text:gsub("q%w+", string.upper)
end
print("lua", string.format("%.0f", total))
