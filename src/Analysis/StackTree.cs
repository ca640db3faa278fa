using NativeHeap.Model;

namespace NativeHeap.Analysis;

/// <summary>
/// The stacks of a trace as a tree by number, equal ones joined, for whoever needs all of them: a node is a frame below
/// its caller. Node 0 is the root; a parent's number is smaller than its child's. Stacks that allocate end in a node whose
/// frame is the allocation function (<see cref="FrameKind.Entry"/>).
/// </summary>
public sealed class StackTree
{
    private readonly FrameTree _tree;

    internal StackTree(FrameTree tree) => _tree = tree;

    /// <summary>Nodes, root included.</summary>
    public int Count => _tree.Count;

    /// <summary>Different frames, numbered from 0.</summary>
    public int FrameCount => _tree.FrameCount;

    /// <summary>A frame by its number.</summary>
    public Frame Frame(int number) => _tree.FrameAt(number);

    /// <summary>A node's caller.</summary>
    public int Parent(int node) => _tree.Parent(node);

    /// <summary>The number of a node's frame; -1 for the root.</summary>
    public int FrameOf(int node) => _tree.FrameOf(node);
}

/// <summary>What the stack that ends in a node of a <see cref="StackTree"/> costs.</summary>
/// <param name="Node">The node.</param>
/// <param name="Bytes">Requested bytes.</param>
/// <param name="Blocks">Blocks.</param>
public readonly record struct NodeCost(int Node, long Bytes, long Blocks);
