using NativeHeap.Memory;
using NativeHeap.Memory.Proc;

namespace NativeHeap.Collect.Launching;

/// <summary>As whom a command is started.</summary>
/// <param name="UserId">Real user.</param>
/// <param name="EffectiveUserId">Effective user.</param>
/// <param name="GroupId">Real group.</param>
/// <param name="EffectiveGroupId">Effective group.</param>
/// <param name="NoNewPrivileges">no_new_privs is set.</param>
/// <param name="PermittedCapabilities">Capabilities it may use, a bit each.</param>
/// <param name="AmbientCapabilities">Capabilities that stay over an exec.</param>
/// <param name="BoundingCapabilities">The most that a file may give.</param>
public sealed record PreflightCredentials(
    uint UserId,
    uint EffectiveUserId,
    uint GroupId,
    uint EffectiveGroupId,
    bool NoNewPrivileges,
    ulong PermittedCapabilities,
    ulong AmbientCapabilities,
    ulong BoundingCapabilities)
{
    /// <summary>Our own, which the command will have too.</summary>
    public static PreflightCredentials Current()
    {
        var status = new ProcessReader(Environment.ProcessId).ReadStatus();
        return status is { UserIds: [var user, var effectiveUser, ..], GroupIds: [var group, var effectiveGroup, ..] }
            ? new PreflightCredentials(
                user,
                effectiveUser,
                group,
                effectiveGroup,
                status.NoNewPrivileges ?? false,
                status.PermittedCapabilities ?? 0,
                status.AmbientCapabilities ?? 0,
                status.BoundingCapabilities ?? ulong.MaxValue)
            : throw new IOException("/proc/self/status cannot be read");
    }
}

/// <summary>Foretells whether the kernel will start a program in secure mode (AT_SECURE), in which the dynamic linker
/// drops LD_PRELOAD. The rules are those of cap_bprm_creds_from_file in security/commoncap.c.</summary>
internal static class PreflightPrivileges
{
    /// <summary>Why the program runs in secure mode, in words that follow "it"; null when it does not.</summary>
    internal static string? SecureReason(string path, FileStatus status, PreflightCredentials credentials)
    {
        var powerless = FileStatus.IgnoresPrivileges(path);
        var user = credentials.EffectiveUserId;
        var group = credentials.EffectiveGroupId;
        if (!powerless && !credentials.NoNewPrivileges)
        {
            user = status.Mode.HasFlag(UnixFileMode.SetUser) ? status.UserId : user;

            // A setgid bit without the right to execute is no setgid bit.
            group = status.Mode.HasFlag(UnixFileMode.SetGroup | UnixFileMode.GroupExecute) ? status.GroupId : group;
        }

        if (user != credentials.UserId)
        {
            return $"is setuid and would run as user {user}";
        }

        if (group != credentials.GroupId)
        {
            return $"is setgid and would run as group {group}";
        }

        return !powerless && GainsCapabilities(path, credentials) ? "has file capabilities" : null;
    }

    private static bool GainsCapabilities(string path, PreflightCredentials credentials)
    {
        // Root has them anyway.
        if (credentials.UserId == 0 || FileCapabilities.TryRead(path) is not { } capabilities)
        {
            return false;
        }

        var gained = capabilities.Permitted & credentials.BoundingCapabilities & ~credentials.AmbientCapabilities;
        if (credentials.NoNewPrivileges)
        {
            gained &= credentials.PermittedCapabilities;
        }

        return gained != 0 || (capabilities.IsEffective && capabilities.Permitted != 0);
    }
}
