namespace NLDS.BackupAgent.Tests.Architecture;

/// <summary>The drawing of the house, held against the project files.</summary>
public sealed class FloorTests
{
    private const string Storage = "NLDS.BackupAgent.Storage";
    private const string Repository = "NLDS.BackupAgent.Repository";
    private const string Recovery = "NLDS.BackupAgent.Recovery";
    private const string Host = "NLDS.BackupAgent";

    private static readonly string[] SourceProjects =
        ["NLDS.BackupAgent.Postgres", "NLDS.BackupAgent.Redis", "NLDS.BackupAgent.Kubernetes", "NLDS.BackupAgent.ApplicationData"];

    /// <summary>Each foreign library by the beginning of its packages' names, and the projects that may name it.</summary>
    private static readonly Dictionary<string, string[]> Libraries = new()
    {
        ["AWSSDK."] = [Storage],
        ["Polly"] = [Storage],
        ["Npgsql"] = ["NLDS.BackupAgent.Postgres", "NLDS.BackupAgent.ApplicationData"],
        ["StackExchange.Redis"] = ["NLDS.BackupAgent.Redis", "NLDS.BackupAgent.ApplicationData"],
        ["YamlDotNet"] = ["NLDS.BackupAgent.Kubernetes"],
        ["Quartz"] = [Host],
        ["OpenTelemetry"] = [Host],
        ["System.CommandLine"] = [Host],
    };

    public static TheoryData<string> Projects => [.. House.SourceProjects.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Every_project_is_in_the_drawing(string project) =>
        new[] { Storage, Repository, Recovery, Host }.Concat(SourceProjects).ShouldContain(project);

    [Theory]
    [MemberData(nameof(Projects))]
    public void Arrows_only_point_down(string project)
    {
        var allowed = project switch
        {
            Storage => [],
            Repository => [Storage],
            Recovery => [Repository, .. SourceProjects],
            Host => [Storage, Repository, Recovery, .. SourceProjects],
            _ => new[] { Repository },
        };

        House.SourceProjects[project].References.ShouldBeSubsetOf(allowed);
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Each_foreign_library_is_named_where_it_belongs(string project)
    {
        foreach (var package in House.SourceProjects[project].Packages.Where(package => !package.StartsWith("Microsoft.Extensions.", StringComparison.Ordinal)))
        {
            var library = Libraries.Keys.SingleOrDefault(name => package.StartsWith(name, StringComparison.Ordinal));
            library.ShouldNotBeNull($"{package} is a library that the drawing does not know");
            Libraries[library].ShouldContain(project, package);
        }
    }

    [Fact]
    public void The_top_level_is_small()
    {
        string[] known =
        [
            "src", "tests", "k8s", "docs", "scripts", ".ci", ".git", ".gitignore", "NLDS.BackupAgent.sln", "Dockerfile", ".dockerignore", "appsettings.json", "README.md",
            "global.json", "Directory.Build.props", "Directory.Packages.props", ".editorconfig",

            // What a build and an editor leave, all of it ignored by git.
            "artifacts", ".vs", ".idea", ".vscode",
        ];

        Directory.GetFileSystemEntries(House.Root).Select(entry => Path.GetFileName(entry)!).ShouldBeSubsetOf(known);
    }
}
