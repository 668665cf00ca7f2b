namespace NLDS.BackupAgent.Testing;

/// <summary>The checkout that the tests were built from: what its pages say is tested too.</summary>
public static class Checkout
{
    public static string Root { get; } = Find();

    private static string Find()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "NLDS.BackupAgent.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName ?? throw new InvalidOperationException("The tests run outside a checkout.");
    }
}
