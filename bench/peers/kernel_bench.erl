%% Owns the kernel suite's work in Erlang, message for message what peers/weft.ts does.
%% Invariant: prints one number, operations per second (or bytes per process), measured after a warm-up.
%% Must not: be more or less than what a plain Erlang programmer would write for the speed of it.
-module(kernel_bench).
-export([main/1]).

-define(CHUNK, 100000).
-define(MANY, 100000).
-define(IDLE, 200000).
-define(BATCH, 1000).

main([Workload, Ms]) ->
    %% A process of its own, as the runtime's programs are actors.
    Self = self(),
    spawn_link(fun() -> Self ! {value, run(list_to_atom(Workload), list_to_integer(Ms))} end),
    receive {value, Value} -> io:format("~w~n", [Value]) end,
    halt(0).

run(one, Ms) ->
    Counter = spawn_link(fun() -> counter(0) end),
    rate(Ms, ?CHUNK, fun() -> tell(Counter, ?CHUNK), sync(Counter) end);
run(many, Ms) ->
    Pids = [spawn_link(fun() -> counter(0) end) || _ <- lists:seq(1, ?MANY)],
    Last = lists:last(Pids),
    Value = rate(Ms, ?MANY, fun() -> [Pid ! inc || Pid <- Pids], sync(Last) end),
    %% All must have counted the same.
    1 = length(lists:usort([sync(Pid) || Pid <- Pids])),
    Value;
run(ask, Ms) ->
    Counter = spawn_link(fun() -> counter(0) end),
    rate(Ms, ?BATCH, fun() -> ask(Counter, ?BATCH) end);
run(ask_bare, Ms) ->
    Counter = spawn_link(fun() -> counter(0) end),
    rate(Ms, ?BATCH, fun() -> ask_bare(Counter, ?BATCH) end);
run(spawn, Ms) ->
    rate(Ms, ?BATCH, fun() -> spawn_batch(?BATCH) end);
run(memory, _Ms) ->
    churn(20),
    garbage_collect(),
    Before = rss(),
    Pids = [spawn_link(fun() -> counter(0) end) || _ <- lists:seq(1, ?IDLE)],
    [Pid ! inc || Pid <- Pids],
    [sync(Pid) || Pid <- Pids],
    garbage_collect(),
    After = rss(),
    true = is_process_alive(hd(Pids)),
    (After - Before) / ?IDLE.

counter(N) ->
    receive
        inc -> counter(N + 1);
        {sync, From, Ref} -> From ! {Ref, N}, counter(N);
        {last, From, Ref} -> From ! {Ref, N};
        stop -> ok
    end.

tell(_, 0) -> ok;
tell(Pid, N) -> Pid ! inc, tell(Pid, N - 1).

sync(Pid) ->
    Ref = make_ref(),
    Pid ! {sync, self(), Ref},
    receive {Ref, N} -> N end.

%% What gen_server:call promises: an answer, the other's death, or a time-out.
ask(_, 0) -> ok;
ask(Pid, N) ->
    Ref = erlang:monitor(process, Pid),
    Pid ! {sync, self(), Ref},
    receive
        {Ref, _} -> erlang:demonitor(Ref, [flush]);
        {'DOWN', Ref, process, Pid, Reason} -> exit(Reason)
    after 5000 -> exit(timeout)
    end,
    ask(Pid, N - 1).

%% The least that works: no monitor, no time-out.
ask_bare(_, 0) -> ok;
ask_bare(Pid, N) -> sync(Pid), ask_bare(Pid, N - 1).

%% Each has a state, handles one message and ends with it; the last one says so.
spawn_batch(1) ->
    Pid = spawn(fun() -> counter(0) end),
    Ref = make_ref(),
    Pid ! {last, self(), Ref},
    receive {Ref, _} -> ok end;
spawn_batch(N) ->
    Pid = spawn(fun() -> counter(0) end),
    Pid ! stop,
    spawn_batch(N - 1).

churn(0) -> ok;
churn(N) -> spawn_batch(?BATCH), churn(N - 1).

%% Operations per second of work that does Size of them, after a quarter of the time for warming up.
rate(Ms, Size, Work) ->
    loop(now_us() + Ms * 250, 0, Work),
    Start = now_us(),
    Times = loop(Start + Ms * 1000, 0, Work),
    Times * Size * 1.0e6 / (now_us() - Start).

loop(End, Times, Work) ->
    Work(),
    case now_us() >= End of
        true -> Times + 1;
        false -> loop(End, Times + 1, Work)
    end.

now_us() -> erlang:monotonic_time(microsecond).

rss() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = binary:split(Text, <<" ">>, [global]),
    binary_to_integer(Pages) * 4096.
