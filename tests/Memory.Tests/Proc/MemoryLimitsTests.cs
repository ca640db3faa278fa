using NativeHeap.Memory.Proc;
using NativeHeap.Testing;

namespace NativeHeap.Memory.Tests.Proc;

/// <summary>Limits of control groups of either version, from files as the kernel writes them.</summary>
public sealed class MemoryLimitsTests : IDisposable
{
    private const string Unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";

    private const string Separate = "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n"
        + "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        + "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
        + "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_nearest_limit_of_a_group_and_of_those_above_it_counts()
    {
        Process(Unified, "0::/web/app.service\n");
        Group("sys/fs/cgroup/web/app.service", "max", "900", "anon 800\ninactive_file 100\n");
        Group("sys/fs/cgroup/web", "1000", "900", "inactive_file 100\n");
        Assert.Equal((800L, 1000L), Nearest());

        Group("sys/fs/cgroup/web/app.service", "810", "900", "inactive_file 100\n");
        Assert.Equal((800L, 810L), Nearest());
    }

    [Fact]
    public void Version_1_is_read_by_its_own_names_beside_an_empty_version_2()
    {
        Process(Separate, "9:name=systemd:/\n4:memory:/pod/box\n1:cpu:/\n0::/\n");
        Group1("sys/fs/cgroup/memory/pod/box", "500", "420", "inactive_file 7\ntotal_inactive_file 20\n");
        Group1("sys/fs/cgroup/memory/pod", "9223372036854771712", "420", "");
        Assert.Equal((400L, 500L), Nearest());
    }

    [Fact]
    public void A_group_is_found_below_what_a_container_has_mounted_of_the_hierarchy()
    {
        Process("30 23 0:26 /docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/12ab/worker\n");
        Group("sys/fs/cgroup/worker", "100", "99", "");
        Group("sys/fs/cgroup", "1000", "100", "");
        Assert.Equal((99L, 100L), Nearest());
    }

    [Theory]
    [InlineData("0::/../other\n")]
    [InlineData("0::/docker/12abc/x\n")]
    [InlineData("0::relative\n")]
    [InlineData("")]
    public void A_group_that_is_not_mounted_here_has_no_known_limit(string groups)
    {
        Process("30 23 0:26 /docker/12ab /sys/fs/cgroup ro - cgroup2 cgroup rw\n", groups);
        Group("sys/fs/cgroup", "1000", "100", "");
        Assert.Null(MemoryLimits.Of(7, _folder.Path));
    }

    [Theory]
    [InlineData("max", "5")]
    [InlineData("0", "5")]
    [InlineData("-1", "5")]
    [InlineData("", "5")]
    [InlineData("100", "many")]
    [InlineData("99999999999999999999", "5")]
    public void Where_no_number_limits_anything_there_is_no_limit(string limit, string used)
    {
        Process(Unified, "0::/a\n");
        Group("sys/fs/cgroup/a", limit, used, "inactive_file x\n");
        Assert.Null(Nearest());
    }

    private (long Used, long Limit)? Nearest() => MemoryLimits.Of(7, _folder.Path)!.Nearest();

    private void Process(string mounts, string groups)
    {
        _folder.Write("proc/self/mountinfo", mounts);
        _folder.Write("proc/7/cgroup", groups);
    }

    private void Group(string folder, string limit, string used, string statistics)
    {
        _folder.Write(folder + "/memory.max", limit + "\n");
        _folder.Write(folder + "/memory.current", used + "\n");
        _folder.Write(folder + "/memory.stat", statistics);
    }

    private void Group1(string folder, string limit, string used, string statistics)
    {
        _folder.Write(folder + "/memory.limit_in_bytes", limit + "\n");
        _folder.Write(folder + "/memory.usage_in_bytes", used + "\n");
        _folder.Write(folder + "/memory.stat", statistics);
    }
}
