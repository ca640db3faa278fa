using System.Diagnostics;
using NativeHeap.Memory.Holding;
using NativeHeap.Memory.Injection;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Injection;

/// <summary>A thread of another process makes a call for us, and does not know of it.</summary>
public sealed class InjectorTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Every_register_the_red_zone_and_errno_are_as_they_were()
    {
        using var program = InjectedProgram.Start(_folder, "registers");
        for (var i = 0; i < 20; i++)
        {
            // The program ends a round when it sees the call, and begins the next with the count at 0.
            Assert.Equal((InjectionOutcome.Returned, null), Short(program.Call("count")));
        }

        Assert.Equal("0 spoiled in 20 rounds\n", program.End());
    }

    [Theory]
    [InlineData("nanosleep")]
    [InlineData("poll")]
    [InlineData("epoll")]
    [InlineData("condition")]
    [InlineData("suspend")]
    public void A_wait_goes_on_to_its_end_and_is_not_interrupted(string mode)
    {
        using var program = InjectedProgram.Start(_folder, mode);
        for (var i = 0; i < 5; i++)
        {
            Assert.Equal((InjectionOutcome.Returned, null), Short(program.Call("count")));
        }

        Assert.Equal("0 0 whole\n", program.End());
    }

    [Fact]
    public async Task Signals_that_come_meanwhile_are_delivered_afterwards()
    {
        using var program = InjectedProgram.Start(_folder, "signals");
        using var signals = new CancellationTokenSource();
        var sender = Task.Run(() =>
        {
            var sent = 0;
            for (; !signals.IsCancellationRequested; sent++)
            {
                Tool.Run("kill", "-USR1", program.Pid.ToString(System.Globalization.CultureInfo.InvariantCulture));
            }

            return sent;
        });
        for (var i = 0; i < 3; i++)
        {
            Assert.Equal((InjectionOutcome.Returned, null), Short(program.Call("rest")));
        }

        signals.Cancel();
        Assert.True(await sender > 3);
        var said = program.End();
        Assert.EndsWith(" handled, 0 of them inside\n", said, StringComparison.Ordinal);
        Assert.DoesNotMatch("^0 ", said);
    }

    [Theory]
    [InlineData("handler")] // of a signal, which may have interrupted anything
    [InlineData("lock")]    // which may be the allocator's
    public void Nobody_is_called_who_may_stand_in_the_allocator_or_the_loader(string mode)
    {
        using var program = InjectedProgram.Start(_folder, mode);
        var result = program.Call("count", choosing: 0.3);
        Assert.Equal(InjectionOutcome.Refused, result.Outcome);
        Assert.Contains("stands in the allocator", result.Problem, StringComparison.Ordinal);
        Kill(program.Pid);
    }

    [Fact]
    public void What_cannot_be_loaded_or_faults_or_takes_too_long_leaves_the_program_as_it_was()
    {
        using var program = InjectedProgram.Start(_folder, "read");
        var missing = Injector.Call(
            program.Pid, new InjectedCall(_folder["none.so"], "count", "text"), TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(10),
            TestContext.Current.CancellationToken);
        Assert.Equal(InjectionOutcome.NotLoaded, missing.Outcome);
        Assert.Contains("none.so: cannot open shared object file", missing.Problem, StringComparison.Ordinal);
        var unknown = program.Call("nosuch");
        Assert.Equal(InjectionOutcome.NotLoaded, unknown.Outcome);
        Assert.Contains("undefined symbol: nosuch", unknown.Problem, StringComparison.Ordinal);
        Assert.Equal(InjectionOutcome.Faulted, program.Call("crash").Outcome);
        var late = program.Call("rest", seconds: 0.05);
        Assert.Equal(InjectionOutcome.Late, late.Outcome);

        Assert.Equal(InjectionOutcome.Returned, program.Call("count").Outcome); // when the thread is free again
        Assert.Equal("2 calls\n", program.End());
    }

    [Fact]
    public void Who_is_traced_or_gone_is_refused()
    {
        using var program = InjectedProgram.Start(_folder, "read");
        using (var tracer = new Tracer())
        using (tracer.TryHold(program.Pid, TimeSpan.FromSeconds(5), out _))
        {
            var result = program.Call("count");
            Assert.Equal((InjectionOutcome.Refused, "Operation not permitted"), (result.Outcome, result.Problem));
        }

        Assert.Equal("0 calls\n", program.End());
        Assert.Equal(InjectionOutcome.Refused, program.Call("count").Outcome);
    }

    private static (InjectionOutcome, string?) Short(InjectionResult result) => (result.Outcome, result.Problem);

    private static void Kill(int pid)
    {
        using var process = Process.GetProcessById(pid);
        process.Kill();
    }
}
