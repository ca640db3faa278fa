using NativeHeap.Model;

namespace NativeHeap.Cli;

/// <summary>Types of blocks, which people ask for and which a trace does not keep.</summary>
internal static class NoTypes
{
    /// <summary>What is asked for.</summary>
    public const string Name = "type";

    /// <summary>Refuses to add up by type.</summary>
    /// <exception cref="ToolException">That was asked for (exit code 2).</exception>
    public static void Refuse(string? group)
    {
        if (group == Name)
        {
            throw new ToolException(
                "a trace does not hold the types of its blocks; add up by stack, function or module instead", ExitCodes.Usage);
        }
    }
}
