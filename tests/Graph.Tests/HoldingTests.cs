using NativeHeap.Memory.Holding;
using NativeHeap.Testing;

namespace NativeHeap.Graph.Tests;

/// <summary>Processes that are held, and what becomes of them meanwhile.</summary>
public sealed class HoldingTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_held_process_that_is_killed_is_not_there_any_more()
    {
        using var program = BlockProgram.C(_folder, "static void work(void) {}");
        using var tracer = new Tracer();
        using var held = tracer.TryHold(program.Pid, TimeSpan.FromSeconds(5), out var problem);
        Assert.True(held is not null, problem);
        Assert.True(held.IsThere);

        Tool.Run("kill", "-KILL", $"{program.Pid}");

        Assert.True(SpinWait.SpinUntil(() => !held.IsThere, TimeSpan.FromSeconds(10)));
        Assert.Equal(0, held.Memory.Read(held.Mappings[0].Start, new byte[8]));
    }

    [Fact]
    public void Signals_that_come_while_a_process_is_held_reach_it_afterwards()
    {
        using var program = BlockProgram.C(_folder, """
            #include <signal.h>
            static void note(int signal) { (void)signal; write(1, "signal\n", 7); }
            static void work(void) { signal(SIGUSR1, note); }
            """);
        using var tracer = new Tracer();
        for (var i = 0; i < 20; i++)
        {
            using (var held = tracer.TryHold(program.Pid, TimeSpan.FromSeconds(5), out var problem))
            {
                Assert.True(held is not null, problem);
                Tool.Run("kill", "-USR1", $"{program.Pid}");
            }

            Assert.Equal("signal", program.ReadLine());
        }
    }

    [Fact]
    public void A_process_runs_on_when_its_tracer_is_gone()
    {
        using var program = BlockProgram.C(_folder, """
            #include <signal.h>
            static void note(int signal) { (void)signal; write(1, "signal\n", 7); }
            static void work(void) { signal(SIGUSR1, note); }
            """);
        using (var tracer = new Tracer())
        {
            Assert.Null(tracer.Follow(program.Pid));
            Assert.NotNull(tracer.TryHold(program.Pid, TimeSpan.FromSeconds(5), out _)); // and never released
        }

        Tool.Run("kill", "-USR1", $"{program.Pid}");
        Assert.Equal("signal", program.ReadLine());
    }
}
