namespace NativeHeap.Analysis;

/// <summary>What costs are added up by.</summary>
public enum CostGroup
{
    /// <summary>Whole stacks.</summary>
    Stack,

    /// <summary>Functions: of every stack in which one occurs, once per stack (inclusive).</summary>
    Function,

    /// <summary>Modules: of every stack in which one occurs, once per stack (inclusive).</summary>
    Module,

    /// <summary>Types of objects and blocks, as they were counted at snapshots.</summary>
    Type,
}
