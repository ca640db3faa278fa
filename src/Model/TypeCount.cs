namespace NativeHeap.Model;

/// <summary>Whose objects they are.</summary>
public enum ObjectKind
{
    /// <summary>.NET.</summary>
    Managed,

    /// <summary>Python.</summary>
    Python,

    /// <summary>C++, of a class with virtual functions.</summary>
    Cpp,

    /// <summary>Blocks of which nothing tells what they are.</summary>
    Unknown,
}

/// <summary>The words for an <see cref="ObjectKind"/>.</summary>
public static class ObjectKinds
{
    /// <summary>The trace's and JSON's word.</summary>
    public static string Name(this ObjectKind kind) => kind switch
    {
        ObjectKind.Managed => "managed",
        ObjectKind.Python => "python",
        ObjectKind.Cpp => "cpp",
        ObjectKind.Unknown => "unknown",
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>The kind that a word names; null when it names none.</summary>
    public static ObjectKind? Parse(string name)
    {
        foreach (var kind in Enum.GetValues<ObjectKind>())
        {
            if (kind.Name() == name)
            {
                return kind;
            }
        }
        return null;
    }
}

/// <summary>The objects of a type.</summary>
/// <param name="Type">Its name, with namespace and arguments.</param>
/// <param name="Kind">Whose.</param>
/// <param name="FoundBy">How the type was found.</param>
/// <param name="Count">Objects.</param>
/// <param name="Bytes">Their bytes: of .NET as the collector counts them, of C++ as they were requested.</param>
public sealed record TypeCount(string Type, ObjectKind Kind, string FoundBy, long Count, long Bytes);
