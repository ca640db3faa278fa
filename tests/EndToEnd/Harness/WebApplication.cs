namespace NativeHeap.EndToEnd.Harness;

/// <summary>A web application of ASP.NET Core.</summary>
internal static class WebApplication
{
    /// <summary>Builds it; how a build fares when it is recorded is the test's of real programs.</summary>
    /// <returns>The application's file.</returns>
    public static string Build(TempFolder folder)
    {
        folder.Write(
            "web/Program.cs",
            """
            var app = WebApplication.CreateBuilder(args).Build();
            app.MapGet("/hello/{name}", (string name) => new { name, squares = Enumerable.Range(0, 100).Select(n => n * n) });
            app.MapGet("/keep/{count}", (int count) => Warehouse.Keep(count));
            app.Run();

            internal static class Warehouse
            {
                private static readonly List<nint> Kept = [];

                public static int Keep(int count)
                {
                    for (var i = 0; i < count; i++)
                    {
                        Kept.Add(System.Runtime.InteropServices.Marshal.AllocHGlobal(4711));
                    }
                    return count;
                }
            }
            """);
        var project = folder.Write(
            "web/web.csproj",
            """
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <ImplicitUsings>enable</ImplicitUsings>
                <OutputPath>out</OutputPath>
                <AppendTargetFrameworkToOutputPath>false</AppendTargetFrameworkToOutputPath>
              </PropertyGroup>
            </Project>
            """);
        string[] build = ["dotnet", "build", project, "-c", "Release", "--nologo", "-v", "quiet", "--disable-build-servers"];
        Program.Run(build).Expect(0);
        return folder["web/out/web.dll"];
    }

    /// <summary>What it answers to /hello/<paramref name="name"/>.</summary>
    public static string Hello(int name) =>
        $$"""{"name":"{{name}}","squares":[{{string.Join(',', Enumerable.Range(0, 100).Select(n => n * n))}}]}""";
}
