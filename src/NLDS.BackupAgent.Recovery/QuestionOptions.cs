using System.ComponentModel.DataAnnotations;

namespace NLDS.BackupAgent.Recovery;

/// <summary>A question to a restored server, and what its answer must be.</summary>
public class QuestionOptions : IValidatableObject
{
    /// <summary>What is asked, for people: <c>user sessions</c>.</summary>
    public string Name { get; set; } = "";

    /// <summary>The source's name: <c>postgres</c>.</summary>
    public string Source { get; set; } = "postgres";

    /// <summary>In the server's language: <c>SELECT COUNT(*) FROM user_sessions</c>, <c>DBSIZE</c>.</summary>
    public string Question { get; set; } = "";

    /// <summary>The answer is a number and at least this.</summary>
    public double? AtLeast { get; set; }

    public virtual IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (string.IsNullOrWhiteSpace(Name))
        {
            yield return new ValidationResult("is empty. Say what is asked, for the report.", [nameof(Name)]);
        }

        if (string.IsNullOrWhiteSpace(Question))
        {
            yield return new ValidationResult("is empty. Write a question of one answer, such as SELECT COUNT(*) FROM user_sessions.", [nameof(Question)]);
        }
    }
}
