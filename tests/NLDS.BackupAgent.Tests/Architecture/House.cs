using System.Xml.Linq;

namespace NLDS.BackupAgent.Tests.Architecture;

/// <summary>The checkout as it lies on disk.</summary>
internal static class House
{
    public static string Root { get; } = FindRoot();

    public static IReadOnlyDictionary<string, Project> SourceProjects { get; } =
        Directory.GetFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories).Select(Project.Read).ToDictionary(project => project.Name);

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "NLDS.BackupAgent.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("The tests run outside a checkout.");
    }
}

internal sealed record Project(string Name, IReadOnlySet<string> References, IReadOnlySet<string> Packages)
{
    public static Project Read(string path)
    {
        var document = XDocument.Load(path);
        return new Project(
            Path.GetFileNameWithoutExtension(path),
            Includes(document, "ProjectReference").Select(include => Path.GetFileNameWithoutExtension(include)).ToHashSet(),
            Includes(document, "PackageReference").ToHashSet());
    }

    private static IEnumerable<string> Includes(XDocument document, string element) =>
        document.Descendants(element).Select(reference => (string)reference.Attribute("Include")!);
}
