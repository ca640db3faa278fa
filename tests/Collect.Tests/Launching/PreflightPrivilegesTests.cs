using NativeHeap.Collect.Launching;
using NativeHeap.Model;
using NativeHeap.Testing;

namespace NativeHeap.Collect.Tests.Launching;

/// <summary>The forecast of secure mode against what the kernel really does: a program that tells its AT_SECURE, with
/// all kinds of privileges, started by root and by nobody, with and without no_new_privs.</summary>
public sealed class PreflightPrivilegesTests : IDisposable
{
    private const uint Nobody = 65534;

    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    public static TheoryData<string, string, string, bool, bool> Cases()
    {
        var cases = new TheoryData<string, string, string, bool, bool>();
        string[] capabilities = ["", "cap_net_raw+ep", "cap_net_raw+p", "cap_net_raw+i", "="];
        (string Mode, string Owner)[] modes =
        [
            ("755", "0:0"), ("4755", "0:0"), ("4755", "65534:0"), ("2755", "0:0"), ("2755", "0:65534"), ("2745", "0:65534"),
            ("6755", "65534:65534"),
        ];
        foreach (var root in new[] { true, false })
        {
            foreach (var restricted in new[] { false, true })
            {
                foreach (var (mode, owner) in modes.Where(entry => root || entry.Mode != "2745"))
                {
                    cases.Add(mode, owner, string.Empty, root, restricted);
                }

                foreach (var capability in capabilities.Skip(1))
                {
                    cases.Add("755", "0:0", capability, root, restricted);
                }
            }
        }

        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_program_is_refused_exactly_when_the_kernel_starts_it_in_secure_mode(
        string mode, string owner, string capabilities, bool root, bool restricted)
    {
        NeedRoot();
        var path = Build(_folder.Path);
        Tool.Run("chown", owner, path);
        Tool.Run("chmod", mode, path);
        if (capabilities.Length > 0)
        {
            Tool.Need("setcap");
            Tool.Run("setcap", capabilities, path);
        }

        Compare(path, root, restricted);
    }

    [Fact]
    public void Privileges_on_a_nosuid_mount_count_for_nothing()
    {
        NeedRoot();
        var mount = _folder["mount"];
        Directory.CreateDirectory(mount);
        var (exitCode, _, errors) = Tool.TryRun("mount", "-t", "tmpfs", "-o", "nosuid,mode=755", "tmpfs", mount);
        Assert.SkipUnless(exitCode == 0, "no mount is permitted here: " + errors);
        try
        {
            var path = Build(mount);
            Tool.Run("chmod", "4755", path);

            Assert.False(Compare(path, root: false, restricted: false));
        }
        finally
        {
            Tool.Run("umount", mount);
        }
    }

    // What kernel and forecast agree on: true for secure mode.
    private bool Compare(string path, bool root, bool restricted)
    {
        string[] arguments =
        [
            .. root ? (string[])[] : ["--reuid=65534", "--regid=65534", "--clear-groups"],
            .. restricted ? (string[])["--no-new-privs"] : [],
            "env", // its exec settles the capabilities that setpriv leaves
            path,
        ];
        var secure = Tool.Run("setpriv", arguments).Trim() == "1";
        var id = root ? 0 : Nobody;
        var options = new PreflightOptions
        {
            ShimPath = Tool.CompileC(_folder, "shim.so", "int shim;", "-shared", "-fPIC"),
            Credentials = new PreflightCredentials(id, id, id, id, restricted, 0, 0, ulong.MaxValue),
        };

        if (secure)
        {
            var error = Assert.Throws<ToolException>(() => Preflight.Check([path], options));
            Assert.Contains("so the dynamic linker will not load the shim", error.Message, StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(path, Preflight.Check([path], options).Program);
        }

        return secure;
    }

    private string Build(string folder)
    {
        // The whole way has to be open to nobody.
        File.SetUnixFileMode(_folder.Path, (UnixFileMode)0b111_101_101);
        var path = Path.Combine(folder, "program");
        Tool.Run("gcc", "-o", path, _folder.Write("program.c", """
            #include <stdio.h>
            #include <sys/auxv.h>
            int main(void) { printf("%lu\n", getauxval(AT_SECURE)); return 0; }
            """));
        return path;
    }

    private static void NeedRoot()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give a file away");
        Tool.Need("setpriv");
    }
}
