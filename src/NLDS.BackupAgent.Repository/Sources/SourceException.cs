namespace NLDS.BackupAgent.Repository.Sources;

/// <summary>
/// A source could not do its work for a reason that the user can act on: refused password, missing privilege, wrong cluster. The message says what to do
/// and is shown without a stack trace. Exit code 1.
/// </summary>
public sealed class SourceException : Exception
{
    public SourceException(string message, bool isPermanent, Exception? inner = null)
        : base(message, inner)
    {
        IsPermanent = isPermanent;
    }

    /// <summary>True when trying again cannot help until somebody changes something.</summary>
    public bool IsPermanent { get; }
}
