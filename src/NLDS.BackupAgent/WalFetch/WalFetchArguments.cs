namespace NLDS.BackupAgent.WalFetch;

/// <summary>What PostgreSQL's <c>restore_command</c> says.</summary>
/// <param name="File">The segment or history file that is asked for (%f).</param>
/// <param name="Path">Where to put it (%p), relative to the server's data directory, where the server starts the command.</param>
/// <param name="Spool">The folder of <c>--spool</c>, or null.</param>
/// <param name="ConfigFile">What <c>--config</c> names, or null.</param>
internal sealed record WalFetchArguments(string File, string Path, string? Spool, string? ConfigFile)
{
    public const string Verb = "wal-fetch";
    public const string SpoolOption = "--spool";
    public const string ConfigOption = "--config";

    /// <summary>
    /// Reads the ordinary forms without the command-line library, which would take longer than all the rest of a delivery from the spool. Whatever else is
    /// written, right or wrong, is that library's to judge.
    /// </summary>
    public static WalFetchArguments? TryRead(IReadOnlyList<string> arguments)
    {
        string? spool = null;
        string? configFile = null;
        var words = new List<string>();
        for (var i = 0; i < arguments.Count; i++)
        {
            var last = i == arguments.Count - 1;
            if (arguments[i] == ConfigOption && configFile is null && !last)
            {
                configFile = arguments[++i];
            }
            else if (arguments[i] == SpoolOption && spool is null && words.Count > 0 && !last)
            {
                spool = arguments[++i];
            }
            else if (arguments[i].StartsWith('-'))
            {
                return null;
            }
            else
            {
                words.Add(arguments[i]);
            }
        }

        return words is [Verb, var file, var path] && path.Length > 0 ? new WalFetchArguments(file, path, spool, configFile) : null;
    }

    /// <summary>Whether these arguments are for this verb, however wrong the rest of them may be.</summary>
    public static bool AreMeantBy(IReadOnlyList<string> arguments)
    {
        for (var i = 0; i < arguments.Count; i++)
        {
            if (arguments[i] == ConfigOption)
            {
                i++;
            }
            else if (!arguments[i].StartsWith('-'))
            {
                return arguments[i] == Verb;
            }
        }

        return false;
    }
}
