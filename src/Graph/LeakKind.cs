namespace NativeHeap.Graph;

/// <summary>What is known of a block that was not freed, as memcheck puts it.</summary>
public enum LeakKind
{
    /// <summary>Nothing points to it.</summary>
    Definite,

    /// <summary>Only blocks that are lost point to it.</summary>
    Indirect,

    /// <summary>Something points into its midst, or only to such a block that points to it.</summary>
    Possible,

    /// <summary>The program could still free it.</summary>
    Reachable,
}
