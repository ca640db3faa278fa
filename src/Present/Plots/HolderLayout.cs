using static NativeHeap.Present.Plots.HolderPicture;

namespace NativeHeap.Present.Plots;

/// <summary>
/// Places boxes in rows (K. Sugiyama and others, 1981): each box one row above the lowest that it points to, the target in the
/// last one, so that every arrow points down but those that close a cycle. An arrow that passes rows has a place in each of
/// them, as wide as its label, and so crosses no box.
/// </summary>
internal sealed class HolderLayout
{
    private const int Sweeps = 12;
    private const double Gap = 28;
    private const double RowGap = 64;
    private const double Straight = 8; // at both ends of an arrow

    private readonly List<Node> _nodes = [];
    private readonly List<List<Node>> _rows = [];

    /// <param name="sizes">Width and height of each box; the first is the target.</param>
    /// <param name="arrows">Between them.</param>
    /// <param name="labelWidth">How wide a label is.</param>
    public HolderLayout(IReadOnlyList<(double Width, double Height)> sizes, IReadOnlyList<Arrow> arrows, Func<string, double> labelWidth)
    {
        var isBack = FindCycles(sizes.Count, arrows);
        var rows = FindRows(sizes.Count, arrows, isBack);
        for (var i = 0; i <= rows.Max(); i++)
        {
            _rows.Add([]);
        }

        foreach (var (width, height) in sizes)
        {
            Add(new Node(rows[_nodes.Count], width, height));
        }

        var ways = arrows.Select((arrow, i) => Connect(arrow, isBack[i], labelWidth(arrow.Label))).ToList();
        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            Order(isDown: sweep % 2 == 0);
        }

        foreach (var row in _rows)
        {
            Pack(row, row.Select((_, i) => (double)i).ToList());
        }

        for (var sweep = 0; sweep < Sweeps; sweep++)
        {
            Straighten(isDown: sweep % 2 == 0);
        }

        Finish();
        Boxes = [.. _nodes.Take(sizes.Count).Select(node => (node.X - (node.Width / 2), node.Y))];
        Ways = [.. ways.Select((way, i) => Route(way, isBack[i]))];
    }

    /// <summary>Left upper corners.</summary>
    public IReadOnlyList<(double X, double Y)> Boxes { get; }

    /// <summary>The points of each arrow from its tail to its head: every second piece, from the first on, is vertical. The
    /// label belongs between the second and the third.</summary>
    public IReadOnlyList<IReadOnlyList<(double X, double Y)>> Ways { get; }

    /// <summary>Of all.</summary>
    public double Width { get; private set; }

    /// <summary>Of all.</summary>
    public double Height { get; private set; }

    private sealed class Node(int row, double width, double height)
    {
        public int Row { get; } = row;

        public double Width { get; } = width;

        public double Height { get; } = height;

        public double X { get; set; } // of the middle

        public double Y { get; set; }

        public List<Node> Above { get; } = [];

        public List<Node> Below { get; } = [];

        public double Middle(bool isDown) => (isDown ? Above : Below) is { Count: > 0 } neighbours ? neighbours.Average(node => node.X) : X;
    }

    // Arrows that lead back to a box on the way to which one is. Without recursion: chains may be long.
    private static bool[] FindCycles(int count, IReadOnlyList<Arrow> arrows)
    {
        var isBack = new bool[arrows.Count];
        var holders = Enumerable.Range(0, arrows.Count).ToLookup(arrow => arrows[arrow].To);
        var state = new int[count]; // 1: on the way, 2: done
        for (var first = 0; first < count; first++)
        {
            var way = new Stack<(int Box, IEnumerator<int> Arrows)>();
            Enter(first);
            while (way.TryPeek(out var top))
            {
                if (!top.Arrows.MoveNext())
                {
                    state[top.Box] = 2;
                    way.Pop();
                    continue;
                }

                isBack[top.Arrows.Current] = state[arrows[top.Arrows.Current].From] == 1;
                Enter(arrows[top.Arrows.Current].From);
            }

            void Enter(int box)
            {
                if (state[box] == 0)
                {
                    state[box] = 1;
                    way.Push((box, holders[box].GetEnumerator()));
                }
            }
        }

        return isBack;
    }

    private static int[] FindRows(int count, IReadOnlyList<Arrow> arrows, bool[] isBack)
    {
        var rows = new int[count];
        var open = new int[count]; // arrows out of a box whose heads have no row yet
        var holders = Enumerable.Range(0, arrows.Count).Where(arrow => !isBack[arrow]).ToLookup(arrow => arrows[arrow].To, arrow => arrows[arrow].From);
        foreach (var from in holders.SelectMany(group => group))
        {
            open[from]++;
        }

        var ready = new Queue<int>(Enumerable.Range(0, count).Where(box => open[box] == 0));
        while (ready.TryDequeue(out var box))
        {
            foreach (var holder in holders[box])
            {
                rows[holder] = Math.Max(rows[holder], rows[box] + 1);
                if (--open[holder] == 0)
                {
                    ready.Enqueue(holder);
                }
            }
        }

        return rows;
    }

    private void Add(Node node)
    {
        node.X = _rows[node.Row].Count;
        _nodes.Add(node);
        _rows[node.Row].Add(node);
    }

    // From the upper end to the lower, with a place in each row between.
    private List<Node> Connect(Arrow arrow, bool isBack, double label)
    {
        var (upper, lower) = isBack ? (arrow.To, arrow.From) : (arrow.From, arrow.To);
        var way = new List<Node> { _nodes[upper] };
        for (var row = _nodes[upper].Row - 1; row > _nodes[lower].Row; row--)
        {
            Add(new Node(row, label, 0));
            way.Add(_nodes[^1]);
        }

        way.Add(_nodes[lower]);
        for (var i = 1; i < way.Count; i++)
        {
            way[i - 1].Below.Add(way[i]);
            way[i].Above.Add(way[i - 1]);
        }

        return way;
    }

    // Each row in the order of the middles of what it is connected with: few arrows cross.
    private void Order(bool isDown)
    {
        for (var i = 0; i < _rows.Count; i++)
        {
            var row = _rows[isDown ? _rows.Count - 1 - i : i];
            var sorted = row.OrderBy(node => node.Middle(isDown)).ToList();
            row.Clear();
            row.AddRange(sorted);
            for (var place = 0; place < row.Count; place++)
            {
                row[place].X = place - ((row.Count - 1) / 2.0);
            }
        }
    }

    private void Straighten(bool isDown)
    {
        for (var i = 0; i < _rows.Count; i++)
        {
            var row = _rows[isDown ? _rows.Count - 1 - i : i];
            Pack(row, [.. row.Select(node => node.Middle(isDown))]);
        }
    }

    // As near to the wished places as possible, in order and without overlap: where two would overlap they move as one from
    // then on (least squares, by pooling adjacent violators).
    private static void Pack(List<Node> row, List<double> wishes)
    {
        var groups = new Stack<(double Sum, int Count)>();
        var offsets = new double[row.Count];
        for (var i = 0; i < row.Count; i++)
        {
            offsets[i] = i == 0 ? 0 : offsets[i - 1] + ((row[i - 1].Width + row[i].Width) / 2) + Gap;
            var group = (Sum: wishes[i] - offsets[i], Count: 1);
            while (groups.TryPeek(out var before) && before.Sum / before.Count > group.Sum / group.Count)
            {
                groups.Pop();
                group = (group.Sum + before.Sum, group.Count + before.Count);
            }

            groups.Push(group);
        }

        var place = row.Count;
        foreach (var (sum, count) in groups)
        {
            for (var i = 0; i < count; i++)
            {
                place--;
                row[place].X = offsets[place] + (sum / count);
            }
        }
    }

    private void Finish()
    {
        var left = _nodes.Min(node => node.X - (node.Width / 2));
        for (var i = _rows.Count - 1; i >= 0; i--)
        {
            foreach (var node in _rows[i])
            {
                node.X -= left;
                node.Y = Height;
            }

            Height += _rows[i].Max(node => node.Height) + (i > 0 ? RowGap : 0);
        }

        Width = _nodes.Max(node => node.X + (node.Width / 2));
    }

    private List<(double X, double Y)> Route(List<Node> way, bool isBack)
    {
        var points = new List<(double X, double Y)>();
        for (var i = 0; i < way.Count; i++)
        {
            var node = way[i];
            var bottom = node.Y + _rows[node.Row].Max(other => other.Height);
            if (i < way.Count - 1)
            {
                var x = i == 0 ? Port(node, way[1], node.Below) : node.X;
                points.Add((x, i == 0 ? node.Y + node.Height : node.Y));
                points.Add((x, i == 0 ? bottom + Straight : bottom));
            }
            else
            {
                var x = Port(node, way[^2], node.Above);
                points.Add((x, node.Y - Straight));
                points.Add((x, node.Y));
            }
        }

        if (isBack)
        {
            points.Reverse();
        }

        return points;
    }

    // Arrows leave and reach a box side by side, in the order in which they come.
    private static double Port(Node box, Node other, List<Node> all)
    {
        const double spread = 0.6;
        var place = all.OrderBy(node => node.X).ToList().IndexOf(other);
        return box.X + (box.Width * spread * (((place + 1.0) / (all.Count + 1)) - 0.5));
    }
}
